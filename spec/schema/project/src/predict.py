from models import Base


class Predictor(Base):
    def setup(self):
        pass
