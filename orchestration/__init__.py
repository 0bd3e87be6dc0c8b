"""When things run, in what order, and whether to go on; holds no formula of a metric."""
