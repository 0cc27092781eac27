"""What every mock cloud needs and no cloud owns: a clock that a test can hold, faults on demand, switches for doubtful
behaviour, image maps and the process sandbox that jobs run in."""
