# Write the texts of the standard table with openxlsx: Rscript make_r.R, in this folder.
library(openxlsx)
ids <- c("5843104000000425565", "5843104000000425566")
table <- data.frame(Module = c("Leads", "Sales Orders"), `Record Id` = ids, `Lock Id` = c("5843104000000425777", NA), Reason = c("Under review", "Pr\u00fcfung"), check.names = FALSE)
write.xlsx(table, "openxlsx.xlsx", sheetName = "Locks", overwrite = TRUE)
