package export

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"reflect"
	"sort"
	"strconv"
	"strings"
)

// comment is what a doc comment says: prose, and markers of the form `+name=value`.
type comment struct {
	text    string
	markers map[string][]string
}

func (c comment) has(name string) bool { _, ok := c.markers[name]; return ok }

func (c comment) marker(name string) string {
	if v := c.markers[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

type pkg struct {
	types  map[string]comment
	fields map[string]map[string]comment
	// Constants by the name of their type.
	consts map[string][]constant
	values map[string]string
}

type constant struct {
	name, value, doc string
}

type sources struct{ packages map[string]*pkg }

func newSources() *sources { return &sources{packages: map[string]*pkg{}} }

func (s *sources) load(path string) (*pkg, error) {
	if p, ok := s.packages[path]; ok {
		return p, nil
	}
	out, err := exec.Command("go", "list", "-f", "{{.Dir}}", path).Output()
	if err != nil {
		return nil, fmt.Errorf("go list %s: %w", path, err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "*.go"))
	if err != nil {
		return nil, err
	}
	p := &pkg{types: map[string]comment{}, fields: map[string]map[string]comment{}, consts: map[string][]constant{}, values: map[string]string{}}
	for _, file := range files {
		base := filepath.Base(file)
		if strings.HasSuffix(base, "_test.go") || strings.HasSuffix(base, ".pb.go") || strings.HasPrefix(base, "zz_") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		for _, decl := range tree.Decls {
			if general, ok := decl.(*ast.GenDecl); ok {
				p.declaration(general, tree.Comments)
			}
		}
	}
	s.packages[path] = p
	return p, nil
}

func (p *pkg) declaration(d *ast.GenDecl, all []*ast.CommentGroup) {
	switch d.Tok {
	case token.TYPE:
		for _, spec := range d.Specs {
			t := spec.(*ast.TypeSpec)
			doc := t.Doc
			if doc == nil {
				doc = d.Doc
			}
			parsed := parse(doc)
			// Markers may stand in a comment of their own, set off by one empty line.
			if group := closestAbove(all, doc, d.Pos()); group != nil {
				for name, values := range parse(group).markers {
					if !parsed.has(name) {
						parsed.markers[name] = values
					}
				}
			}
			p.types[t.Name.Name] = parsed
			if structure, ok := t.Type.(*ast.StructType); ok {
				fields := map[string]comment{}
				for _, f := range structure.Fields.List {
					for _, name := range f.Names {
						fields[name.Name] = parse(f.Doc)
					}
					if len(f.Names) == 0 {
						fields[embedded(f.Type)] = parse(f.Doc)
					}
				}
				p.fields[t.Name.Name] = fields
			}
		}
	case token.CONST:
		for _, spec := range d.Specs {
			v := spec.(*ast.ValueSpec)
			doc := v.Doc
			if doc == nil && len(d.Specs) == 1 {
				doc = d.Doc
			}
			for i, name := range v.Names {
				if i >= len(v.Values) {
					continue
				}
				literal, ok := v.Values[i].(*ast.BasicLit)
				typeName := ""
				if id, isIdent := v.Type.(*ast.Ident); isIdent {
					typeName = id.Name
				}
				if call, isCall := v.Values[i].(*ast.CallExpr); isCall && len(call.Args) == 1 {
					if id, isIdent := call.Fun.(*ast.Ident); isIdent {
						typeName = id.Name
						literal, ok = call.Args[0].(*ast.BasicLit)
					}
				}
				if !ok || literal.Kind != token.STRING {
					continue
				}
				value, err := strconv.Unquote(literal.Value)
				if err != nil {
					continue
				}
				p.values[name.Name] = value
				if typeName != "" {
					p.consts[typeName] = append(p.consts[typeName], constant{name.Name, value, parse(doc).text})
				}
			}
		}
	}
}

// embedded is the field name of an embedded type.
func embedded(t ast.Expr) string {
	switch t := t.(type) {
	case *ast.Ident:
		return t.Name
	case *ast.SelectorExpr:
		return t.Sel.Name
	case *ast.StarExpr:
		return embedded(t.X)
	}
	return ""
}

// closestAbove finds a comment group that ends right above another (or above a declaration).
func closestAbove(all []*ast.CommentGroup, doc *ast.CommentGroup, pos token.Pos) *ast.CommentGroup {
	start := pos
	if doc != nil {
		start = doc.Pos()
	}
	for _, group := range all {
		if gap := start - group.End(); gap > 0 && gap <= 2 {
			return group
		}
	}
	return nil
}

func parse(group *ast.CommentGroup) comment {
	c := comment{markers: map[string][]string{}}
	if group == nil {
		return c
	}
	var lines []string
	for _, line := range group.List {
		if text, ok := strings.CutPrefix(line.Text, "//"); ok {
			lines = append(lines, strings.TrimPrefix(text, " "))
			continue
		}
		text := strings.TrimSuffix(strings.TrimPrefix(line.Text, "/*"), "*/")
		lines = append(lines, strings.Split(strings.TrimSpace(text), "\n")...)
	}
	for _, line := range lines {
		line = strings.TrimSpace(line)
		if marker, ok := strings.CutPrefix(line, "+"); ok {
			name, value, _ := strings.Cut(marker, "=")
			name = strings.TrimPrefix(strings.TrimSpace(name), "k8s:")
			c.markers[name] = append(c.markers[name], strings.TrimSpace(value))
		}
	}
	c.text = prose(lines)
	return c
}

// prose joins the lines of a comment to paragraphs, without markers, to-dos and what follows a
// line of dashes. Indented lines stay lines.
func prose(lines []string) string {
	var b strings.Builder
	// The space after a line of prose, or the line break after an indented one.
	unspace := func() {
		text := b.String()
		b.Reset()
		b.WriteString(text[:max(0, len(text)-1)])
	}
	for _, line := range lines {
		line = strings.TrimRight(line, " ")
		leading := strings.TrimLeft(line, " ")
		if line == "---" {
			break
		}
		switch {
		case line == "":
			unspace()
			b.WriteString("\n\n")
		case strings.HasPrefix(leading, "TODO"), strings.HasPrefix(leading, "+"):
		case strings.HasPrefix(line, " "), strings.HasPrefix(line, "\t"):
			unspace()
			b.WriteString("\n" + line + "\n")
		default:
			b.WriteString(line + " ")
		}
	}
	return strings.TrimRight(strings.Trim(b.String(), "\n"), " \n")
}

func (s *sources) typeDoc(t reflect.Type) (comment, error) {
	p, err := s.load(t.PkgPath())
	if err != nil {
		return comment{}, err
	}
	c, ok := p.types[t.Name()]
	if !ok {
		return comment{}, fmt.Errorf("no source of %s", t)
	}
	return c, nil
}

func (s *sources) fieldDoc(t reflect.Type, field string) (comment, error) {
	p, err := s.load(t.PkgPath())
	if err != nil {
		return comment{}, err
	}
	c, ok := p.fields[t.Name()][field]
	if !ok {
		return comment{}, fmt.Errorf("no source of %s.%s", t, field)
	}
	return c, nil
}

// enum lists the values of a string type marked as an enumeration, and their description.
func (s *sources) enum(t reflect.Type) ([]string, string, error) {
	p, err := s.load(t.PkgPath())
	if err != nil {
		return nil, "", err
	}
	if !p.types[t.Name()].has("enum") {
		return nil, "", nil
	}
	values := append([]constant(nil), p.consts[t.Name()]...)
	sort.Slice(values, func(i, j int) bool { return values[i].value < values[j].value })
	var names, lines []string
	for _, c := range values {
		if len(names) > 0 && names[len(names)-1] == c.value {
			continue
		}
		names = append(names, c.value)
		line := fmt.Sprintf(" - `%q`", c.value)
		if doc := strings.TrimSpace(strings.TrimPrefix(c.doc, c.name)); doc != "" {
			line += " " + strings.ReplaceAll(doc, "\n", " ")
		}
		lines = append(lines, line)
	}
	if len(names) == 0 {
		return nil, "", nil
	}
	return names, "Possible enum values:\n" + strings.Join(lines, "\n"), nil
}

// literal reads the value of a default marker: JSON, or `ref(Constant)`.
func (s *sources) literal(owner reflect.Type, text string) (any, bool) {
	if ref, ok := strings.CutPrefix(text, "ref("); ok {
		name := strings.TrimSuffix(ref, ")")
		path := owner.PkgPath()
		if i := strings.LastIndex(name, "."); i >= 0 {
			path, name = name[:i], name[i+1:]
		}
		p, err := s.load(path)
		if err != nil {
			return nil, false
		}
		value, ok := p.values[name]
		return value, ok
	}
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		return nil, false
	}
	return value, true
}
