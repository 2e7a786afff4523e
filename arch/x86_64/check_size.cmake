# cmake -D FILE=path -D LIMIT=bytes -P check_size.cmake: fails when the file is larger.
file(SIZE ${FILE} size)
if(size GREATER LIMIT)
  message(FATAL_ERROR "${FILE} has ${size} bytes; the limit is ${LIMIT}")
endif()
