#!/bin/sh
# Convert the standard table with LibreOffice and with Gnumeric's ssconvert.
set -e
cd "$(dirname "$0")"
for format in "xlsx:Calc MS Excel 2007 XML" "xls:MS Excel 97" "ods:calc8"; do
    soffice --headless --convert-to "$format" --outdir converted openpyxl.xlsx >/dev/null
    mv "converted/openpyxl.${format%%:*}" "libreoffice.${format%%:*}"
    soffice --headless --convert-to "$format" --outdir converted hand-formulas.xlsx >/dev/null
    mv "converted/hand-formulas.${format%%:*}" "libreoffice-formulas.${format%%:*}"
done
rmdir converted
for kind in xlsx:xlsx excel_biff7:xls excel_biff8:xls openoffice:ods xlsx2:xlsx; do
    ssconvert -T "Gnumeric_Excel:${kind%%:*}" openpyxl.xlsx "gnumeric-${kind%%:*}.${kind##*:}" 2>/dev/null ||
        ssconvert -T "Gnumeric_OpenCalc:${kind%%:*}" openpyxl.xlsx "gnumeric-${kind%%:*}.${kind##*:}" 2>/dev/null
    ssconvert -T "Gnumeric_Excel:${kind%%:*}" hand-formulas.xlsx "gnumeric-formulas-${kind%%:*}.${kind##*:}" 2>/dev/null ||
        ssconvert -T "Gnumeric_OpenCalc:${kind%%:*}" hand-formulas.xlsx "gnumeric-formulas-${kind%%:*}.${kind##*:}" 2>/dev/null
done
