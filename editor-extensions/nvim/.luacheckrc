std = "luajit"
cache = false
max_line_length = 120
globals = { "vim" }
exclude_files = { "lua/lucastra/protocol.lua" } -- generated
files["spec"] = { std = "+busted" }
