"""Mutate good workbooks, and compare what batchlock reads in them with other programs.

`python -m fuzz --count 20000` in the folder `tests` runs it, with LibreOffice if it is installed.
"""
