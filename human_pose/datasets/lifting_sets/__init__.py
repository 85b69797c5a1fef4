"""Sets of four views' detections and 3D truth as sources of shards.

schema       what a record holds
pose_tree    the original's tree of pose files
videopose3d  VideoPose3D's `.npz` files
invented     the embedded people
"""
