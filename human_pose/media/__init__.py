"""Pictures and videos, whatever their form, as upright arrays of RGB."""
