{#- Spot pairs: top of book and day's figures. -#}

{{ staged_tickers('spot_tickers') }}
