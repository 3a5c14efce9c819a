"""Five real nodes, peers that die and come back at random, for as long as one likes."""
