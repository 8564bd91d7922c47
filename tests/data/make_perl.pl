#!/usr/bin/perl
# Write the standard table with Spreadsheet::WriteExcel and Excel::Writer::XLSX.
use strict; use warnings; use utf8;
use FindBin; use JSON::PP;
use Spreadsheet::WriteExcel; use Excel::Writer::XLSX;
my $here = $FindBin::Bin;
open my $in, "<", "$here/standard.json" or die; local $/; my $rows = decode_json(<$in>);
for my $made (["perl-writeexcel.xls", Spreadsheet::WriteExcel->new("$here/perl-writeexcel.xls")],
              ["perl-writer-xlsx.xlsx", Excel::Writer::XLSX->new("$here/perl-writer-xlsx.xlsx")]) {
    my $book = $made->[1];
    my $date = $book->add_format(num_format => "yyyy-mm-dd");
    my $sheet = $book->add_worksheet("Locks");
    for my $y (0 .. $#$rows) {
        for my $x (0 .. $#{$rows->[$y]}) {
            my $cell = $rows->[$y][$x];
            next unless defined $cell;
            if (ref $cell eq "HASH") { $sheet->write_number($y, $x, 45730, $date) }
            elsif (JSON::PP::is_bool($cell)) { $sheet->can("write_boolean") ? $sheet->write_boolean($y, $x, 1) : $sheet->write_string($y, $x, "TRUE") }
            elsif ($cell eq "42") { $sheet->write_number($y, $x, 42) }
            else { $sheet->write_string($y, $x, $cell) }
        }
    }
    $book->close;
}
for my $made (Spreadsheet::WriteExcel->new("$here/perl-formulas.xls"), Excel::Writer::XLSX->new("$here/perl-formulas.xlsx")) {
    my $sheet = $made->add_worksheet("Locks");
    for my $y (0 .. 2) {
        my $row = $rows->[$y ? 1 : 0];
        $sheet->write_string($y, $_, $row->[$_]) for 0 .. 4;
    }
    $sheet->write_formula(1, 3, "=A9");
    $sheet->write_formula(2, 3, "=A2", undef, "Leads");
    $made->close;
}
