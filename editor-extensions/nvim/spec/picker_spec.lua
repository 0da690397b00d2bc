local picker = require("lucastra.picker")
local place = require("lucastra.place")

local PLACES = {
  { file = "/src/a.py", path = "a.py", first = 4, last = 9, symbol = "load", text = "def load():\n    pass\n" },
  { file = "/src/b.py", path = "b.py", first = 1, last = 1, symbol = "", text = "import a\n" },
}

--- Make modules available for one test.
local preloaded = {}
local function provide(modules)
  for name, module in pairs(modules) do
    package.loaded[name] = module
    preloaded[#preloaded + 1] = name
  end
end

describe("the picker", function()
  local select, open = vim.ui.select, place.open

  after_each(function()
    for _, name in ipairs(preloaded) do
      package.loaded[name] = nil
    end
    preloaded = {}
    vim.ui.select, place.open = select, open
    vim.g.lucastra = nil
  end)

  it("is vim.ui.select where no other is installed", function()
    local opened
    vim.ui.select = function(items, options, chosen)
      assert.equal("a.py:4-9 load  def load():", options.format_item(items[1]))
      chosen(items[2])
    end
    place.open = function(one)
      opened = one
    end
    picker.pick(PLACES, "title")
    assert.equal(PLACES[2], opened)
  end)

  it("is the quickfix list where that is set", function()
    vim.g.lucastra = { search = { picker = "quickfix" } }
    picker.pick(PLACES, "title")
    local entry = vim.fn.getqflist()[1]
    assert.same({ 4, 9, "load: def load():" }, { entry.lnum, entry.end_lnum, entry.text })
    vim.cmd.cclose()
  end)

  it("gives snacks files with positions, in the order of the search", function()
    local given
    provide({
      ["snacks.picker"] = {
        pick = function(options)
          given = options
        end,
      },
    })
    picker.pick(PLACES, "title")
    assert.same({ 1, "/src/a.py", { 4, 0 } }, { given.items[1].idx, given.items[1].file, given.items[1].pos })
    assert.equal("title", given.title)
  end)

  it("gives telescope entries that open a file at a line", function()
    local entry, found
    provide({
      ["telescope.config"] = {
        values = {
          generic_sorter = function() end,
          grep_previewer = function() end,
        },
      },
      ["telescope.finders"] = {
        new_table = function(options)
          entry = options.entry_maker(options.results[1])
        end,
      },
      ["telescope.pickers"] = {
        new = function()
          return {
            find = function()
              found = true
            end,
          }
        end,
      },
    })
    picker.pick(PLACES, "title")
    assert.is_true(found)
    assert.same({ "/src/a.py", 4, 9 }, { entry.filename, entry.lnum, entry.lnend })
    assert.truthy(entry.ordinal:find("load", 1, true))
  end)

  it("gives fzf-lua lines that its own actions understand", function()
    local lines, given
    provide({
      ["fzf-lua"] = {
        fzf_exec = function(contents, options)
          lines, given = contents, options
        end,
        config = { globals = { actions = { files = { enter = "open" } } } },
      },
    })
    picker.pick(PLACES, "title")
    assert.equal("/src/a.py:4:1:load def load():", lines[1])
    assert.same({ enter = "open" }, given.actions)
  end)
end)
