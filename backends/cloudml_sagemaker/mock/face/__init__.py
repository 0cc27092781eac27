"""The face of the mock: HTTP in front, moto behind it for every other service of AWS."""
