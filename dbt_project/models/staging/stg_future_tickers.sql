{#- Dated futures: quotes, mark and index. -#}

{{ staged_tickers('future_tickers', own=[
    'tickers.mark_px', 'tickers.index_px', 'tickers.volume_24h_base', 'tickers.volume_24h_quote', 'terms.expiry_ts',
]) }}
