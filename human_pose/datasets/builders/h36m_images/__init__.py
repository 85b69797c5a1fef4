"""Pictures of Human3.6M with 3D joints."""
