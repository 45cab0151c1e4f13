// evaluate (engine.go) has no body of its own, which the compiler takes only beside a file of assembler.
