# SPDX-License-Identifier: GPL-3.0-or-later
"""The flow-test runner in parts: see docs/flow-tests.md for the language it runs."""
