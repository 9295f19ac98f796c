"""What a data set holds and what is wrong with it; who goes into which split; figures and sentences of its photos."""
