// Write the standard table with Apache POI's HSSF. The cells come tab-separated
// from standard input, the folder is the argument.
import java.io.*; import java.nio.charset.StandardCharsets; import org.apache.poi.ss.usermodel.*;
import org.apache.poi.hssf.usermodel.*;

public class MakePoi {
  public static void main(String[] args) throws Exception {
    String all = new String(System.in.readAllBytes(), StandardCharsets.UTF_8);
    write(new HSSFWorkbook(), args[0] + "/poi-hssf.xls", all);
    formulas(new HSSFWorkbook(), args[0] + "/poi-formulas.xls");
  }
  static void write(Workbook book, String path, String all) throws Exception {
    Sheet sheet = book.createSheet("Locks");
    CellStyle date = book.createCellStyle();
    date.setDataFormat(book.createDataFormat().getFormat("yyyy-mm-dd"));
    int y = 0;
    for (String line : all.split("\u0001")) {
      Row row = sheet.createRow(y++); int x = 0;
      for (String cell : line.split("\t", -1)) {
        Cell at = row.createCell(x++);
        if (cell.isEmpty()) continue;
        if (cell.equals("42")) at.setCellValue(42.0);
        else if (cell.equals("True")) at.setCellValue(true);
        else if (cell.equals("2025-03-14")) { at.setCellValue(45730.0); at.setCellStyle(date); }
        else at.setCellValue(cell);
      }
    }
    try (OutputStream out = new FileOutputStream(path)) { book.write(out); }
  }
  static void formulas(Workbook book, String path) throws Exception {
    Sheet sheet = book.createSheet("Locks");
    String[] titles = {"Module", "Record Id", "Lock Id", "Reason"};
    for (int y = 0; y < 4; y++) {
      Row row = sheet.createRow(y);
      String[] cells = y == 0 ? titles : new String[] {"Leads", "5843104000000425565", "5843104000000425777", "Under review"};
      for (int x = 0; x < 4; x++) row.createCell(x).setCellValue(cells[x]);
    }
    sheet.getRow(1).getCell(3).setCellFormula("21*2");
    sheet.getRow(2).getCell(3).setCellFormula("21*2");
    book.getCreationHelper().createFormulaEvaluator().evaluateFormulaCell(sheet.getRow(2).getCell(3));
    sheet.getRow(3).getCell(2).setCellErrorValue(FormulaError.NA.getCode());
    try (OutputStream out = new FileOutputStream(path)) { book.write(out); }
  }
}
