"""The commands ask, chat, models, health, embed and completion of the executable ``mlo``.

Nothing heavy is imported before a command needs it: ``mlo ask --help`` loads click and nothing else::

    commands ─► syntax.ask, syntax.chat, …      what the arguments look like, in click
                    │
                    ▼ only when the command runs
                 asking session listing …       what it does
                    ├─► routers                 the configuration, or the demo provider
                    ├─► inputs                  prompt, standard input, pictures, schema
                    └─► displays live tables    what the reader sees
"""
