# What every target is compiled with: the warnings, the hardening of the OpenSSF compiler guide
# (probed, because gcc 12 and clang 14 each lack some), sanitizers and coverage.
include(CheckCCompilerFlag)

add_library(obs_compile_options INTERFACE)

set(warnings -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wformat=2 -Wstrict-prototypes
    -Wundef -Wvla -Wcast-qual -Wimplicit-fallthrough)
target_compile_options(obs_compile_options INTERFACE
  "$<$<COMPILE_LANGUAGE:C>:${warnings}>"
  "$<$<COMPILE_LANGUAGE:C>:-Werror=implicit;-Werror=incompatible-pointer-types;-Werror=int-conversion>"
  "$<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wshadow;-Wconversion>")
if(OBS_WERROR)
  target_compile_options(obs_compile_options INTERFACE -Werror)
endif()
target_compile_definitions(obs_compile_options INTERFACE _GNU_SOURCE OBS_VERSION="${PROJECT_VERSION}")
target_compile_options(obs_compile_options INTERFACE -fno-omit-frame-pointer)

if(OBS_SANITIZE)
  target_compile_options(obs_compile_options INTERFACE
    -fsanitize=${OBS_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(obs_compile_options INTERFACE -fsanitize=${OBS_SANITIZE})
endif()
if(OBS_FUZZ)
  target_compile_options(obs_compile_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(OBS_COVERAGE)
  # Atomic counters: the programs under test have threads.
  target_compile_options(obs_compile_options INTERFACE --coverage -fprofile-update=atomic)
  target_link_options(obs_compile_options INTERFACE --coverage)
endif()

# Hardening belongs to what ships; sanitizers bring their own checks and dislike _FORTIFY_SOURCE.
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT OBS_SANITIZE)
  set(candidates
    -fstack-protector-strong -fstack-clash-protection -fcf-protection=full
    -fno-delete-null-pointer-checks -fno-strict-overflow -fno-strict-aliasing
    -ftrivial-auto-var-init=zero -fstrict-flex-arrays=3 -mbranch-protection=standard
    -Wtrampolines -Wbidi-chars=any)
  foreach(flag IN LISTS candidates)
    string(MAKE_C_IDENTIFIER "has${flag}" known)
    set(CMAKE_REQUIRED_FLAGS -Werror)
    check_c_compiler_flag(${flag} ${known})
    unset(CMAKE_REQUIRED_FLAGS)
    if(${known})
      target_compile_options(obs_compile_options INTERFACE $<$<COMPILE_LANGUAGE:C>:${flag}>)
    endif()
  endforeach()
  target_compile_options(obs_compile_options INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
  target_link_options(obs_compile_options INTERFACE
    -pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,-z,nodlopen -Wl,--as-needed)
endif()
