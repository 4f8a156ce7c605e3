-- Between the notebooks' Markdown and the two documents: numbers for figures, tables and equations, references to
-- them, folded code, and for the page KaTeX and inline SVG. Conventions are in report/README.md.

local html = FORMAT:match 'html' ~= nil
local typst = FORMAT == 'typst'
local numbers = {} -- identifier -> number
local count = { fig = 0, tbl = 0 }

local function numbered(kind, identifier)
  count[kind] = count[kind] + 1
  if identifier ~= '' then
    if numbers[identifier] then error('two things are called ' .. identifier) end
    numbers[identifier] = count[kind]
  end
  return count[kind]
end

local function prefixed(caption, word, number)
  if #caption.long == 0 then caption.long = { pandoc.Plain {} } end
  local first = caption.long[1].content
  if html then -- Typst counts for itself, and in the same order
    first:insert(1, pandoc.Span({ pandoc.Str(word .. '\u{a0}' .. number .. '.') }, { class = 'label' }))
    first:insert(2, pandoc.Space())
  end
end

local function read(path)
  local file = assert(io.open(path, 'rb'))
  local text = file:read 'a'
  file:close()
  return text
end

local function escaped(text)
  return (text:gsub('[&<>"]', { ['&'] = '&amp;', ['<'] = '&lt;', ['>'] = '&gt;', ['"'] = '&quot;' }))
end

-- An SVG file as part of the page; its identifiers get a prefix, because a page has several.
local function inline_svg(image, identifier)
  local svg = read(image.src):gsub('^.-(<svg)', '%1')
  svg = svg:gsub(' id="', ' id="' .. identifier .. '-'):gsub('href="#', 'href="#' .. identifier .. '-')
  svg = svg:gsub('url%(#', 'url(#' .. identifier .. '-')
  local alt = escaped(pandoc.utils.stringify(image.caption))
  return pandoc.RawInline('html', '<svg role="img" aria-label="' .. alt .. '"' .. svg:sub(5))
end

local function Figure(figure)
  prefixed(figure.caption, 'Figure', numbered('fig', figure.identifier))
  local inlined = figure:walk {
    Image = function(image)
      if html and image.src:match '%.svg$' then return inline_svg(image, figure.identifier) end
    end,
  }
  return inlined, false
end

local function Table(tbl)
  local label = 'Table'
  if #tbl.caption.long > 0 then
    label = label .. ' ' .. numbered('tbl', tbl.identifier)
    prefixed(tbl.caption, 'Table', count.tbl)
  end
  if html then return pandoc.Div({ tbl }, pandoc.Attr('', { 'wide' }, { { 'role', 'region' }, { 'aria-label', label } })), false end
  return tbl, false
end

-- ::: {#fig-x .texts} blocks ::: caption … ::: :::  is a figure whose content is text
local function texts(div)
  local caption = table.remove(div.content).content[1].content
  local figure = pandoc.Figure(div.content, { pandoc.Plain(caption) }, pandoc.Attr(div.identifier, { 'texts' }))
  prefixed(figure.caption, 'Figure', numbered('fig', div.identifier))
  if typst then
    return {
      pandoc.RawBlock('typst', '#textfigure(<' .. div.identifier .. '>, caption: ['),
      pandoc.Plain(caption),
      pandoc.RawBlock('typst', '])['),
      pandoc.Div(div.content),
      pandoc.RawBlock('typst', ']'),
    }
  end
  return figure
end

local function folded(div)
  if typst then return {} end
  return {
    pandoc.RawBlock('html', '<details class="code"><summary>Code</summary>'),
    div,
    pandoc.RawBlock('html', '</details>'),
  }
end

-- Cells that follow one another without an output between them are folded as one
local function Blocks(blocks)
  local merged = pandoc.Blocks {}
  for _, block in ipairs(blocks) do
    local last = merged[#merged]
    local both = last and last.t == 'Div' and block.t == 'Div'
    if both and last.classes:includes 'code' and block.classes:includes 'code' then
      last.content:extend(block.content)
    else
      merged:insert(block)
    end
  end
  return merged
end

-- ::: {.sampler file="…"} :::  is the sampler, with the weights of a file in it; paper has none
local function sampler(div)
  if typst then return {} end
  local weights = read(div.attributes.file):gsub('<', '\\u003c')
  local section = read('report/sampler.html'):gsub('>weights<', function() return '>' .. weights .. '<' end)
  return pandoc.RawBlock('html', section)
end

local function Div(div)
  -- `false`: what comes back is not walked through again
  if div.classes:includes 'texts' then return texts(div), false end
  if div.classes:includes 'sampler' then return sampler(div), false end
  if div.classes:includes 'code' then return folded(div), false end
end

-- $$ … \tag{n} $$, alone or at the end of a paragraph, is equation n
local function Math(math)
  local n = math.text:match '\\tag{(%w+)}'
  if not n or math.mathtype ~= 'DisplayMath' then return nil end
  numbers['eq-' .. n] = n
  if typst then
    math.text = math.text:gsub('%s*\\tag{%w+}%s*$', '')
    return { pandoc.RawInline('typst', '#tagged("' .. n .. '", '), math, pandoc.RawInline('typst', ') <eq-' .. n .. '>') }
  end
  return pandoc.Span({ math }, { id = 'eq-' .. n })
end

local function Link(link)
  local identifier = link.target:match '^#(%a+%-.+)$'
  if not identifier or not identifier:match '^fig%-' and not identifier:match '^tbl%-' then return nil end
  if not numbers[identifier] then error('nothing is called ' .. identifier) end
  link.content:insert(pandoc.Str('\u{a0}' .. numbers[identifier]))
  return link
end

-- A comma or a full stop stays on the line of the formula before it
local function Inlines(inlines)
  for i = #inlines - 1, 1, -1 do
    local math, next = inlines[i], inlines[i + 1]
    if math.t == 'Math' and math.mathtype == 'InlineMath' and next.t == 'Str' then
      inlines[i] = pandoc.Span({ math, next }, { class = 'together' })
      inlines:remove(i + 1)
    end
  end
  return inlines
end

local function in_katex(doc)
  local formulas = {}
  doc:walk { Math = function(math)
    table.insert(formulas, { text = math.text, display = math.mathtype == 'DisplayMath' })
  end }
  if #formulas == 0 then return doc end
  local rendered = pandoc.json.decode(pandoc.pipe('node', { 'report/katex.mjs' }, pandoc.json.encode(formulas)), false)
  local index = 0
  return doc:walk { Math = function()
    index = index + 1
    return pandoc.RawInline('html', rendered[index])
  end }
end

return {
  { Blocks = Blocks },
  { traverse = 'topdown', Figure = Figure, Table = Table, Div = Div }, -- in the order of the document
  { Math = Math, Link = Link },
  html and { Inlines = Inlines } or {},
  { Pandoc = function(doc) if html then return in_katex(doc) end end },
}
