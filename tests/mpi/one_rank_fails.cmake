# cmake -DMPIEXEC=... -DPROGRAM=... -P one_rank_fails.cmake: the job must end by itself, with an error that is shown once.
execute_process(COMMAND ${MPIEXEC} -n 3 ${PROGRAM} --one-rank-fails
  TIMEOUT 30 RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE output)
string(REGEX MATCHALL "rank 1 has had enough" shown "${output}")
list(LENGTH shown times)
# The launcher gives the code of the failed rank (3) or of a rank that it killed, whichever ends first.
if(NOT code MATCHES "^[1-9][0-9]*$" OR NOT times EQUAL 1)
  message(FATAL_ERROR "exit ${code}, the error shown ${times} times:\n${output}")
endif()
