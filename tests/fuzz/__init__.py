"""Mutate good workbooks, and compare what batchlock reads in them with other programs.

`python -m fuzz --count 20000 --keep FOLDER` in the folder `tests` runs it, on Linux.

batchlock and a second reader (openpyxl for .xlsx, python-calamine for .xlsb and .xls, pandas with
odfpy for .ods) each read in a process that is started again when it ends. LibreOffice, if it is
installed, reads the mutants that these two do not settle, and a sample of the others.

    alike                      the second reader or LibreOffice shows the same cells
    DIFFERS                    both show other cells, or the only one that reads it does
    shows more                 they show blank cells where batchlock shows a value
    read by us alone           the others refuse it; the cells are those before the change, or
                               "changed": look at these
    refused by us alone        another program shows most of the cells
    parser crash               batchlock turns it into a sentence; look at the ones of its own code
    TRACEBACK, HIGH MEMORY     an exception that batchlock does not handle; more than 300 MiB

All kinds but "alike", "refused by both" and unchanged ones are kept in the folder.
"""
