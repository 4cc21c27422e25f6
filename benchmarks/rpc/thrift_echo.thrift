namespace cpp weir.bench.thrift_echo

// bench_echo.proto for Thrift.
service Echo {
  binary Echo(1: binary payload)
}
