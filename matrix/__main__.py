from matrix.runs import main

raise SystemExit(main())
