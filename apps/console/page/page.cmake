# The console: its page is built by node (TypeScript, esbuild; the lock file says which) and embedded in the program.
find_program(OBS_NODE NAMES node nodejs)
find_program(OBS_NPM NAMES npm)
if(NOT OBS_NODE OR NOT OBS_NPM)
  message(WARNING "node and npm are missing, so the console is left out: `make install` brings them (packages nodejs and npm)")
  return()
endif()

set(page ${CMAKE_CURRENT_SOURCE_DIR}/console/page)
set(page_out ${CMAKE_CURRENT_BINARY_DIR}/console)
file(MAKE_DIRECTORY ${page_out})
file(GLOB_RECURSE page_sources CONFIGURE_DEPENDS ${page}/src/*)

# npm ci only when the lock file changed; without a network the message says what is missing.
add_custom_command(OUTPUT ${page_out}/packages.stamp
  COMMAND ${CMAKE_COMMAND} -DNPM=${OBS_NPM} -DPAGE=${page} -P ${page}/packages.cmake
  COMMAND ${CMAKE_COMMAND} -E touch ${page_out}/packages.stamp
  DEPENDS ${page}/package.json ${page}/package-lock.json ${page}/packages.cmake
  COMMENT "npm ci (the console's page)" VERBATIM)
add_custom_command(OUTPUT ${page_out}/assets.c
  COMMAND ${OBS_NODE} ${page}/build.mjs ${page_out}
  DEPENDS ${page_out}/packages.stamp ${page}/build.mjs ${page}/tsconfig.json ${page_sources}
  WORKING_DIRECTORY ${page}
  COMMENT "Building the console's page" VERBATIM)
