"""Where rows rest: columns and their keys, row values, and the engines behind one small interface."""
