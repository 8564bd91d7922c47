// Write the standard table with the writers that npm has: exceljs, xlsx (SheetJS), excel4node,
// xlsx-populate and write-excel-file. Run with NODE_PATH set to where they are installed.
const fs = require("fs");
const path = require("path");
const here = __dirname;
const rows = JSON.parse(fs.readFileSync(path.join(here, "standard.json"), "utf-8"));
const file = (name) => path.join(here, name);
const value = (cell) => (cell && cell.date ? new Date(cell.date + "T00:00:00Z") : cell);

async function exceljs() {
  const ExcelJS = require("exceljs");
  const book = new ExcelJS.Workbook();
  const sheet = book.addWorksheet("Locks");
  for (const row of rows) sheet.addRow(row.map(value));
  sheet.getCell("D6").numFmt = "yyyy-mm-dd";
  sheet.getCell("D2").value = { richText: [{ text: "Under " }, { font: { bold: true }, text: "review" }] };
  await book.xlsx.writeFile(file("exceljs.xlsx"));
  const stream = new ExcelJS.stream.xlsx.WorkbookWriter({ filename: file("exceljs-stream.xlsx") });
  const other = stream.addWorksheet("Locks");
  for (const row of rows) {
    const made = other.addRow(row.map(value));
    if (made.number === 6) made.getCell(4).numFmt = "yyyy-mm-dd";
    made.commit();
  }
  other.commit();
  await stream.commit();
}

function sheetjs() {
  const XLSX = require("xlsx");
  const sheet = XLSX.utils.aoa_to_sheet(rows.map((row) => row.map((c) => (c && c.date ? null : c))));
  sheet.D6 = { t: "n", v: 45730, z: "yyyy-mm-dd" };
  const book = XLSX.utils.book_new();
  XLSX.utils.book_append_sheet(book, sheet, "Locks");
  for (const [kind, name] of [
    ["xlsx", "sheetjs.xlsx"], ["xlsm", "sheetjs.xlsm"], ["xlsb", "sheetjs.xlsb"],
    ["biff8", "sheetjs-biff8.xls"], ["biff5", "sheetjs-biff5.xls"], ["ods", "sheetjs.ods"],
  ]) XLSX.writeFile(book, file(name), { bookType: kind, bookSST: kind !== "xlsm" });
  const wrong = XLSX.utils.aoa_to_sheet([rows[0], rows[1], rows[1]]);
  wrong.C3 = { t: "e", v: 0x2a };
  wrong.D2 = { t: "n", v: 42, f: "21*2" };
  const errors = XLSX.utils.book_new();
  XLSX.utils.book_append_sheet(errors, wrong, "Locks");
  for (const [kind, name] of [
    ["xlsx", "sheetjs-errors.xlsx"], ["xlsb", "sheetjs-errors.xlsb"], ["biff8", "sheetjs-errors.xls"],
    ["ods", "sheetjs-errors.ods"],
  ]) XLSX.writeFile(errors, file(name), { bookType: kind });
  XLSX.writeFile(book, file("sheetjs-html.xls"), { bookType: "html" });
  XLSX.writeFile(book, file("sheetjs-2003.xls"), { bookType: "xlml" });
}

function excel4node() {
  const book = new (require("excel4node").Workbook)();
  const sheet = book.addWorksheet("Locks");
  rows.forEach((row, y) => row.forEach((cell, x) => {
    const at = sheet.cell(y + 1, x + 1);
    if (cell === null) return;
    if (cell.date) at.date(value(cell)).style({ numberFormat: "yyyy-mm-dd" });
    else if (typeof cell === "number") at.number(cell);
    else if (typeof cell === "boolean") at.bool(cell);
    else at.string(cell);
  }));
  return new Promise((done) => book.write(file("excel4node.xlsx"), done));
}

async function populate() {
  const book = await require("xlsx-populate").fromBlankAsync();
  const sheet = book.sheet(0).name("Locks");
  rows.forEach((row, y) => row.forEach((cell, x) => {
    if (cell !== null) sheet.cell(y + 1, x + 1).value(value(cell));
  }));
  sheet.cell("D6").style("numberFormat", "yyyy-mm-dd");
  await book.toFileAsync(file("xlsx-populate.xlsx"));
  await book.toFileAsync(file("xlsx-populate-encrypted.xlsx"), { password: "secret" });
}

(async () => {
  for (const make of [exceljs, sheetjs, excel4node, populate]) {
    try { await make(); } catch (error) { console.log(make.name, error); }
  }
})();
