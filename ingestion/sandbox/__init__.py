"""A simulated exchange: one seeded market of known truth, served in the wire formats of six venues and a chain.

`market.Market` is the truth, `app.create_app` serves it, `faults.Faults` breaks the answers on request.
Everything is a pure function of (seed, time): asking in another order, or from another hour, changes nothing.
"""
