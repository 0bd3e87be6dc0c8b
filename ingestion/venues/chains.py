"""The chains whose gas is watched. Another is a line here: name, chain id, coin, a public node.

Chain ids: https://chainid.network/ · public nodes: https://www.publicnode.com/
"""

from ingestion.venues.evm import chain

ETHEREUM = chain("ethereum", 1, "ETH", "https://ethereum-rpc.publicnode.com")
OPTIMISM = chain("optimism", 10, "ETH", "https://optimism-rpc.publicnode.com", is_op_stack=True)
BASE = chain("base", 8453, "ETH", "https://base-rpc.publicnode.com", is_op_stack=True)
ARBITRUM = chain("arbitrum", 42_161, "ETH", "https://arbitrum-one-rpc.publicnode.com")
BNB_CHAIN = chain("bnb_chain", 56, "BNB", "https://bsc-rpc.publicnode.com")
POLYGON = chain("polygon", 137, "POL", "https://polygon-bor-rpc.publicnode.com")
