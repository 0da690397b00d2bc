-- Found by `vim.lsp.config.lucastra`; plugin/lucastra.lua enables it.
return require("lucastra.client").lsp_config()
