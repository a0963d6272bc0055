from settings import limits as limits

DEFAULTS = {"size": 64}
