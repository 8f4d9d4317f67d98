package settings

import "strings"

// suggest finds the setting whose path is nearest to an unknown one, "" if none
// is near. Names of one's own choice are taken over from the unknown path:
// nodePools.gpu.maxsise suggests nodePools.gpu.maxSize.
func (s *Schema) suggest(unknown []string) string {
	wanted := ""
	for _, key := range unknown {
		wanted = Join(wanted, key)
	}
	best, bestDistance := "", max(2, len(unknown[len(unknown)-1])/3)+1
	for field := range s.Fields() {
		if field.ReadOnly || strings.Contains(field.Path, "[]") {
			continue
		}
		keys := Split(field.Path)
		candidate := ""
		for i, key := range keys {
			if key == Placeholder && i < len(unknown) {
				key = unknown[i]
			}
			candidate = Join(candidate, key)
		}
		if candidate == wanted {
			continue
		}
		distance := Distance(strings.ToLower(wanted), strings.ToLower(candidate))
		if strings.EqualFold(keys[len(keys)-1], unknown[len(unknown)-1]) {
			distance = min(distance, 1) // right key, wrong place
		}
		if distance < bestDistance {
			best, bestDistance = candidate, distance
		}
	}
	return best
}

// Distance is the number of letters to add, drop or change to make one word of
// another (Levenshtein).
func Distance(a, b string) int {
	from, to := []rune(a), []rune(b)
	row := make([]int, len(to)+1)
	for j := range row {
		row[j] = j
	}
	for i := range from {
		diagonal := row[0]
		row[0] = i + 1
		for j := range to {
			cost := 1
			if from[i] == to[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j]+1, row[j+1]+1, diagonal+cost)
		}
	}
	return row[len(to)]
}

// Nearest is the known word that a misspelt one is likely to mean, "" if none is near.
func Nearest(word string, known []string) string {
	best, bestDistance := "", max(2, len(word)/3)+1
	for _, candidate := range known {
		if d := Distance(strings.ToLower(word), strings.ToLower(candidate)); d < bestDistance {
			best, bestDistance = candidate, d
		}
	}
	return best
}
