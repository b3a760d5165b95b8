"""What the gateway concludes from readings: each module is a pure step(state, input) -> (state, conclusions).

States are frozen Structs that can be saved. Time arrives with the data.
"""
