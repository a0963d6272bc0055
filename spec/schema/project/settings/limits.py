LARGEST = 2 ** 10
STYLES = {"first", "middle"}
