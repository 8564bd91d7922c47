"""The workbook formats: .xlsx, .xlsb, .xls and .ods."""
