module schema-export/export

go 1.24
