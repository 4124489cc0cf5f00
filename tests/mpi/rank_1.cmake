# Starts a job whose rank 1 does something wrong:
#
#   cmake -DMPIEXEC=... -DPROGRAM=... -DDOES=--sleeps -DMESSAGE=... -P rank_1.cmake
#
# The job must end by itself with an error, show MESSAGE (a regular expression) exactly once, and leave no process.
string(RANDOM LENGTH 12 mark)
execute_process(COMMAND ${MPIEXEC} -n 3 ${PROGRAM} ${DOES} ${mark}
  TIMEOUT 30 RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(NOT code MATCHES "^[1-9][0-9]*$")
  message(FATAL_ERROR "exit ${code}:\n${output}")
endif()
if(MESSAGE)
  string(REGEX MATCHALL "(${MESSAGE})" shown "${output}")
  string(REGEX MATCHALL "\\[watchdog\\]|has had enough" said "${output}")
  list(LENGTH shown times)
  list(LENGTH said messages)
  if(NOT times EQUAL 1 OR NOT messages EQUAL 1)
    message(FATAL_ERROR "\"${MESSAGE}\" was shown ${times} times, of ${messages} messages:\n${output}")
  endif()
endif()
# A killed process may take a moment to disappear.
foreach(attempt RANGE 50)
  execute_process(COMMAND pgrep -f "^${PROGRAM} ${DOES} ${mark}" OUTPUT_VARIABLE left)
  if(NOT left)
    return()
  endif()
  execute_process(COMMAND ${CMAKE_COMMAND} -E sleep 0.1)
endforeach()
message(FATAL_ERROR "processes are left: ${left}")
