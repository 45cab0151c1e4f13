# Run by the build: node_modules as the lock file has it.
file(SHA256 ${PAGE}/package-lock.json wanted)
set(stamp ${PAGE}/node_modules/.lock-sha256)
if(EXISTS ${stamp})
  file(READ ${stamp} have)
  if(have STREQUAL wanted)
    return()
  endif()
endif()
execute_process(COMMAND ${NPM} ci --ignore-scripts --no-audit --no-fund WORKING_DIRECTORY ${PAGE}
  RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "${output}\nThe console's page needs the packages of ${PAGE}/package-lock.json: a network once, or npm's cache. "
    "Everything else builds without them: cmake --build … --target stream-processor (and so on).")
endif()
file(WRITE ${stamp} ${wanted})
