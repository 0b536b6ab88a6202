# SPDX-License-Identifier: MIT
"""What scripts/cts is made of: case lists, running dEQP-VK, and comparing."""
