"""The chains that are watched, and the pools on them. Another is a line here: name, chain id, coin, a public node.

Chain ids: https://chainid.network/ · public nodes: https://www.publicnode.com/
Pairs by their factory, tokens by their issuers: https://docs.uniswap.org/contracts/v2/reference/smart-contracts/factory
https://developers.circle.com/stablecoins/usdc-contract-addresses · https://tether.to/supported-protocols
"""

from ingestion.venues.evm import chain
from ingestion.venues.evm_pools import Pool, Token

# A wrapped coin is redeemed one for one, so its price is the coin's.
WETH = Token("0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2", "ETH", 18)
USDC = Token("0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", "USDC", 6)
USDT = Token("0xdAC17F958D2ee523a2206206994597C13D831ec7", "USDT", 6)

UNISWAP_V2 = (
    Pool("0xB4e16d0168e52d35CaCD2c6185b44281Ec28C9Dc", WETH, USDC),
    Pool("0x0d4a11d5EEaaC28EC3F61d100daF4d40471f1852", WETH, USDT),
)

ETHEREUM = chain("ethereum", 1, "ETH", "https://ethereum-rpc.publicnode.com", pools=UNISWAP_V2)
OPTIMISM = chain("optimism", 10, "ETH", "https://optimism-rpc.publicnode.com", is_op_stack=True)
BASE = chain("base", 8453, "ETH", "https://base-rpc.publicnode.com", is_op_stack=True)
ARBITRUM = chain("arbitrum", 42_161, "ETH", "https://arbitrum-one-rpc.publicnode.com")
BNB_CHAIN = chain("bnb_chain", 56, "BNB", "https://bsc-rpc.publicnode.com")
POLYGON = chain("polygon", 137, "POL", "https://polygon-bor-rpc.publicnode.com")
