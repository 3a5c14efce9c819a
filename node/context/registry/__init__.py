"""The embedded registry: who is a member of which context, without a chain.

It answers the relayer protocol of the reference with the behaviour of the config and proxy contracts behind it, so a
node of either kind can be pointed at it. Pure: the shell brings requests, rows and a clock.
"""
