{#- Perpetuals: quotes, mark, index and the running funding rate per the interval that int_funding_intervals_derived says. -#}

{{ staged_tickers('perp_tickers', own=[
    'tickers.mark_px', 'tickers.index_px',
    'tickers.volume_24h_base', 'tickers.volume_24h_quote',
    'tickers.funding_rate', 'tickers.funding_interval_s', 'tickers.next_funding_ts',
]) }}
