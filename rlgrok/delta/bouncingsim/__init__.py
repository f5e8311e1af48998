"""BouncingSim: where polygons that bounce in moving containers are, at any time asked for."""
