"""Drills of a region's loss: two regions, names, health checks, customers, and Sereno on watch among them."""
