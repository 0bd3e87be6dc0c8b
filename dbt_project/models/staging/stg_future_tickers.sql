{#- Dated futures: quotes, mark and index. -#}

{{ staged_tickers('future_tickers', own=['tickers.mark_px', 'tickers.index_px', 'terms.expiry_ts']) }}
