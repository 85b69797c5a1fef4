"""Human pose: 2D joints of several views, or one image, to a 3D pose."""
