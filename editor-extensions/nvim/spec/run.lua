-- Runs busted within Neovim: `nvim --clean --headless -l spec/run.lua` in this folder.
-- Debian's busted is for Lua 5.1 to 5.4, and its modules stand beside that of the interpreter that runs it.
package.path = "/usr/share/lua/5.1/?.lua;/usr/share/lua/5.1/?/init.lua;" .. package.path
package.cpath = "/usr/lib/x86_64-linux-gnu/lua/5.1/?.so;/usr/lib/aarch64-linux-gnu/lua/5.1/?.so;" .. package.cpath
vim.opt.runtimepath:prepend(vim.uv.cwd())
_G.arg = { [0] = "spec/run.lua", "--output=plainTerminal", "--pattern=_spec", "spec" }
require("busted.runner")({ standalone = false })
