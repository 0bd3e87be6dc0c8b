"""Assets, one file a zone: raw, lake, warehouse, published."""
