-- Read the pieces of all notebooks (pieces.py), a JSON list, as one document. Each piece is read alone, as in Jupyter: a
-- fence or a <div> that is left open ends with its cell. A piece becomes a Div with its classes and its place.

-- not `smart`: a straight quote in a notebook stays straight
local MARKDOWN = 'markdown-smart-raw_tex-tex_math_dollars-tex_math_single_backslash-citations'
  .. '+tex_math_double_backslash+lists_without_preceding_blankline'
local OPTIONS = pandoc.ReaderOptions { columns = 9999 }

-- HTML in Markdown: pictures, tables, and the look of letters; of all other elements only the text stays
local LETTERS = {
  b = pandoc.Strong, strong = pandoc.Strong, i = pandoc.Emph, em = pandoc.Emph, u = pandoc.Underline,
  s = pandoc.Strikeout, del = pandoc.Strikeout, sub = pandoc.Subscript, sup = pandoc.Superscript,
}

local function picture_of(tag)
  if not tag:match '^%s*<img%s' then return nil end
  local function value(name)
    local from = '%s' .. name .. '%s*=%s*'
    return tag:match(from .. '"([^"]*)"') or tag:match(from .. "'([^']*)'") or tag:match(from .. '([^%s>]+)')
  end
  local width = value 'width'
  return pandoc.Image(value 'alt' or '', value 'src' or '', '', { width = width and width:gsub('^%d+$', '%0px') })
end

local function without_tags(inlines)
  local kept, open = pandoc.Inlines {}, {}
  for _, inline in ipairs(inlines) do
    local tag = inline.t == 'RawInline' and inline.text
    local name, ended = (tag or ''):match '^<(%a+)', (tag or ''):match '^</(%a+)'
    if not tag or name == 'a' or ended == 'a' then -- an anchor: the filter knows what it is for
      kept:insert(inline)
    elseif picture_of(tag) then
      kept:insert(picture_of(tag))
    elseif name == 'br' then
      kept:insert(pandoc.LineBreak())
    elseif LETTERS[name] then
      table.insert(open, { name = name, from = #kept + 1 })
    elseif #open > 0 and open[#open].name == ended then
      local inside = pandoc.Inlines {}
      local from = table.remove(open).from
      while #kept >= from do inside:insert(kept:remove(from)) end
      kept:insert(LETTERS[ended](inside))
    end
  end
  return kept
end

-- Everything between <table> and </table> is one table, even if pandoc has divided it
local function without_raw(blocks)
  local kept, inside = pandoc.Blocks {}, nil
  for _, block in ipairs(blocks) do
    local raw = block.t == 'RawBlock' and block.text
    if not inside and raw and raw:match '^%s*<table' then inside = '' end
    if inside then
      inside = inside .. (raw or pandoc.write(pandoc.Pandoc { block }, 'html'))
      if raw and raw:match '</table>%s*$' then
        kept:extend(pandoc.read(inside, 'html').blocks)
        inside = nil
      end
    elseif raw and picture_of(raw) then
      kept:insert(pandoc.Para { picture_of(raw) })
    elseif not raw then
      kept:insert(block)
    end
  end
  return kept
end

local read = {}

-- Apply the macros of the notebook to a formula, with pandoc's LaTeX reader
local function expanded(macros)
  return function(math)
    local first = pandoc.read(macros .. '\n\n$' .. math.text .. '$', 'latex').blocks[1]
    local read_again = first and first.content[1]
    if read_again and read_again.t == 'Math' then math.text = read_again.text end
    return math
  end
end

function read.markdown(piece)
  local blocks = pandoc.read(piece.text, MARKDOWN, OPTIONS).blocks
  local macros = piece.macros or {}
  if #macros > 0 then blocks = blocks:walk { Math = expanded(table.concat(macros, '\n')) } end
  return blocks:walk { Blocks = without_raw, Inlines = without_tags }
end

-- Remove identifiers: they are not our names
function read.html(piece)
  return pandoc.read(piece.text, 'html', OPTIONS).blocks:walk {
    Table = function(tbl) tbl.identifier = ''; return tbl end,
    Header = function(header) header.identifier = ''; return pandoc.Para { pandoc.Strong(header.content) } end,
  }
end

function read.code(piece) return { pandoc.CodeBlock(piece.text, { '', { 'python' } }) } end

function read.text(piece) return { pandoc.CodeBlock(piece.text) } end

function read.image(piece) return { pandoc.Para { pandoc.Image({}, piece.text) } } end

function Reader(input)
  local blocks = pandoc.Blocks {}
  for _, piece in ipairs(pandoc.json.decode(tostring(input), false)) do
    local classes = pandoc.List { 'piece' } .. piece.classes
    blocks:insert(pandoc.Div(read[piece.format](piece), pandoc.Attr('', classes, { place = piece.place })))
  end
  return pandoc.Pandoc(blocks)
end
